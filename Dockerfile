# Two images on one base: `serve` (the page and the API) and `train`.
#   docker build --target serve -t pix2pix-serve . && docker run --rm -p 127.0.0.1:7860:7860 pix2pix-serve
#   docker build --target train -t pix2pix-train .
# `serve` colors on the CPU without torch; with --build-arg EXTRAS=app,torch it has that, with CUDA.
# `train` is for the CPU; with --build-arg TORCH_INDEX=https://pypi.org/simple it has CUDA, too.

FROM python:3.11-slim-bookworm AS base
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN useradd --uid 10001 --create-home pix2pix
WORKDIR /opt/pix2pix
COPY requirements.txt pyproject.toml README.md LICENSE ./
COPY pix2pix ./pix2pix
COPY resources ./resources

FROM base AS train
# torch and torchvision in one call, or they do not fit each other
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN grep -E '^(torch|torchvision)==' requirements.txt > torch.txt \
    && pip install --index-url "$TORCH_INDEX" -r torch.txt
RUN pip install -c requirements.txt -e '.[train]'
USER 10001
WORKDIR /home/pix2pix
HEALTHCHECK NONE
ENTRYPOINT ["pix2pix", "train"]
CMD ["--help"]

FROM base AS serve
ARG EXTRAS=app
RUN pip install -c requirements.txt -e ".[$EXTRAS]"
USER 10001
WORKDIR /home/pix2pix
EXPOSE 7860
HEALTHCHECK --interval=15s --timeout=4s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/readyz', timeout=3)"]
CMD ["pix2pix", "serve", "--host", "0.0.0.0", "--port", "7860"]
