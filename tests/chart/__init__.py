"""Tests of the chart, and of the image that it runs. They need Helm, and the control plane for what only it can say."""
