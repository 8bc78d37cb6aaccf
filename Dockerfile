# The service in one image. Build with the index that offers CPU builds of torch, so that no CUDA is fetched:
#   docker build --build-arg PIP_EXTRA_INDEX_URL=https://… -t formfact .
FROM python:3.11-slim

ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_EXTRA_INDEX_URL=$PIP_EXTRA_INDEX_URL PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1

WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE cli.py ./
COPY domains domains
COPY retrieval retrieval
COPY adapters adapters
COPY ingest ingest
COPY service service
COPY evals evals
RUN pip install -c constraints.txt -e . && useradd --create-home formfact && mkdir /data && chown formfact /data

USER formfact
ENV FORMFACT_HOME=/data FORMFACT_HOST=0.0.0.0
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --start-period=120s \
  CMD python -c "import httpx; httpx.get('http://127.0.0.1:8000/readyz').raise_for_status()"
CMD ["formfact", "serve"]
