# docker build -t ganexplain .
# docker run --rm -v "$PWD:/work" ganexplain demo --out demo
#
# For a GPU build with TORCH_INDEX=https://download.pytorch.org/whl/cu126 and run with --gpus all.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim-bookworm
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# ffmpeg reads what libsndfile, which comes with soundfile, does not: m4a, wma.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/*
COPY constraints.txt /tmp/constraints.txt
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --constraint /tmp/constraints.txt --extra-index-url "$TORCH_INDEX" \
        "$(echo /wheels/ganexplain-*.whl)[attribution,hub,onnx]" \
    && useradd --create-home --uid 1000 user
USER 1000
WORKDIR /work
ENTRYPOINT ["ganexplain"]
