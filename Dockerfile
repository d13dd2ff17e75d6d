# Scores images with an exported model, on a CPU, without PyTorch:
#   docker build -t downscalexr .
#   docker run --rm --network none -v "$PWD/images:/data:ro" downscalexr predict compact /data
FROM python:3.12-slim

# the package and its extra `predict`; nothing of the checkout stays in the image
RUN --mount=type=bind,target=/checkout \
    cp -r /checkout /tmp/source \
 && pip install --no-cache-dir -c /tmp/source/constraints.txt '/tmp/source[predict]' \
 && rm -rf /tmp/source

# nothing needs to be written, and nothing runs as root
RUN useradd --create-home reader
USER reader
WORKDIR /home/reader
ENTRYPOINT ["downscalexr"]
CMD ["predict", "compact", "examples"]
