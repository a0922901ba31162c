# The HTTP API of a model: docker build -t audiosurvey . && docker run -p 8000:8000 -v ./model:/model:ro audiosurvey
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/audiosurvey
# Torch for the processor alone is a tenth of the size of the one for GPUs: --build-arg TORCH_INDEX=URL, of an index that has it
ARG TORCH_INDEX=
RUN if [ -n "$TORCH_INDEX" ]; then /opt/audiosurvey/bin/pip install --no-cache-dir --index-url "$TORCH_INDEX" "torch>=2.11,<2.14"; fi
COPY pyproject.toml README.md LICENSE /src/
COPY src /src/src
RUN /opt/audiosurvey/bin/pip install --no-cache-dir "/src[serve,onnx,media]" && rm -rf /src
RUN useradd --create-home --uid 1000 audiosurvey
USER audiosurvey
ENV AUDIOSURVEY_CACHE=/home/audiosurvey/cache PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["/opt/audiosurvey/bin/python", "-c", "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:8000/health')"]
ENTRYPOINT ["/opt/audiosurvey/bin/audiosurvey", "serve", "--host", "0.0.0.0"]
CMD ["/model"]
