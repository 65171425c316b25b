# docker build -t ganexplain .
# docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" ganexplain demo --out demo
#
# ffmpeg, which reads M4A and WMA, is not in it: convert such recordings to FLAC.
# For a GPU build with TORCH_INDEX=https://download.pytorch.org/whl/cu126 and run with --gpus all.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim-bookworm
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY constraints.txt /tmp/constraints.txt
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --constraint /tmp/constraints.txt --extra-index-url "$TORCH_INDEX" \
        "$(echo /wheels/ganexplain-*.whl)[attribution,hub,onnx]" \
    && useradd --create-home --uid 1000 user
USER 1000
# Another user, as of the line above, has no home to write to.
ENV XDG_CACHE_HOME=/tmp/cache
WORKDIR /work
ENTRYPOINT ["ganexplain"]
