FROM python:3.11-slim AS build
ARG EXTRAS=service,tracing
WORKDIR /src
RUN python -m venv /venv
# without the code, so that the layer of the dependencies outlives a change of code
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN /venv/bin/pip install --no-cache-dir -c constraints.txt ".[${EXTRAS}]"

FROM python:3.11-slim
# the volume takes over the folder's owner
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin kvae \
    && install -d -o kvae -g kvae /var/lib/kvae /var/lib/kvae/spool
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
RUN python -m compileall -q .
# docker build --build-arg KVAE_COMMIT=$(git rev-parse --short HEAD) .
ARG KVAE_COMMIT=
ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    KVAE_STORAGE_URL=/var/lib/kvae \
    KVAE_COMMIT=${KVAE_COMMIT}
USER 10001
EXPOSE 8000
CMD ["kvae", "serve", "--host", "0.0.0.0"]
