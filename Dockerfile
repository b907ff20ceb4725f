# All that the pipeline runs on, in one image; docs/how-to/container.md says how it is used.
#   docker build --tag medpeft .
FROM python:3.11-slim
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*
COPY requirements.txt /
RUN pip install --no-cache-dir --requirement /requirements.txt
