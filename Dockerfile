# The operator's image. BASE is any Linux with Python 3.11 or newer as `python3`, with pip or its venv module's own.
# Both stages stand on it, so that the virtual environment made in the one runs in the other.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /source
COPY requirements/ requirements/

# pip lives in an environment of its own: the one that is shipped holds what runs, and nothing that installs.
RUN python3 -m venv /opt/pip \
 && python3 -m venv --without-pip /opt/headgate \
 && /opt/pip/bin/pip --python /opt/headgate/bin/python install --no-compile \
      --require-hashes --requirement requirements/runtime.txt

# What builds the wheel: hatchling and what it needs, by the hashes of the development pins. pip refuses to install if
# one is missing here.
RUN awk '/^[^ #]/ {wanted = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/} wanted' \
      requirements/dev.txt > /opt/pip/build.txt \
 && /opt/pip/bin/pip install --require-hashes --requirement /opt/pip/build.txt

COPY LICENSE README.md pyproject.toml ./
COPY operator/ operator/
RUN /opt/pip/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /opt/pip/wheel . \
 && /opt/pip/bin/pip --python /opt/headgate/bin/python install --no-compile --no-deps --no-index /opt/pip/wheel/*.whl

# Compiled here, since nothing can be written where it runs. Without the check of each source's time, which copying may
# change; without the Kubernetes client's models and operations, which it loads on demand and Headgate does not use.
RUN /opt/headgate/bin/python -m compileall -q --invalidation-mode unchecked-hash \
      -x 'kubernetes/(aio/)?client/(models|api)/[^_]' /opt/headgate/lib

FROM ${BASE}
LABEL org.opencontainers.image.title="Headgate" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/headgate /opt/headgate
ENV PATH=/opt/headgate/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# A number: only then can a node tell that it is not root.
USER 65532:65532
ENTRYPOINT ["headgate"]
CMD ["run"]
