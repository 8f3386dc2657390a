# Builds, evaluates and serves models in a container, on a CPU or with CUDA. From the repository's root:
#   docker build -t igakulm:cpu --build-arg TORCH_INDEX=URL .      # URL: PyTorch's own index of CPU builds
#   docker build -t igakulm:cuda --build-arg DEVICE=cuda .         # PyTorch's default build, with CUDA's libraries
#   docker run --rm -v "$PWD/project:/project" igakulm:cpu init .
#   docker run --rm -v "$PWD/project:/project" --network none igakulm:cpu run recipes/quickstart.yaml
#   docker run --rm -v "$PWD/project:/project" --network host igakulm:cpu serve runs/quickstart/latest/export
#   docker run --rm -v "$PWD/project:/project" --gpus all igakulm:cuda run RECIPE
# Building needs a network, running does not. Without TORCH_INDEX the CPU image works too and is some gigabytes larger.
# To carry a finished bundle to a ward, see docs/air-gap.md: that needs no container.
ARG DEVICE=cpu

FROM python:3.11-slim AS base
RUN useradd --create-home igakulm && mkdir /project && chown igakulm /project
WORKDIR /build
COPY constraints.txt ./
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1

FROM base AS torch-cpu
ARG TORCH_INDEX=
RUN pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$(grep '^torch==' constraints.txt)"

FROM base AS torch-cuda
RUN pip install "$(grep '^torch==' constraints.txt)"

FROM torch-${DEVICE}
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY recipes recipes
COPY samples samples
RUN pip install --constraint constraints.txt '.[llamacpp,serve,excel]'
USER igakulm
WORKDIR /project
ENTRYPOINT ["igakulm"]
CMD ["doctor"]
