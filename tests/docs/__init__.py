"""The documentation tells the truth about the code: tests of README.md and docs/."""
