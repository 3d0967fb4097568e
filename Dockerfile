# Scores photos with a bundle: docker build --tag kallos .
# docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/work" kallos score photo.jpg --bundle bundle
# `make image` carries out these steps without Docker, in a system made by debootstrap.
FROM debian:bookworm-slim
RUN apt-get update && \
    apt-get install --yes --no-install-recommends python3 python3-venv libgl1 libglib2.0-0 libgomp1 && \
    rm -rf /var/lib/apt/lists/*
COPY . /src
RUN python3 -m venv /opt/kallos
RUN /opt/kallos/bin/pip install --no-cache-dir --require-hashes --requirement /src/locks/predict.txt
RUN /opt/kallos/bin/pip install --no-cache-dir --no-deps /src && rm -rf /src
ENV HOME=/tmp
WORKDIR /work
ENTRYPOINT ["/opt/kallos/bin/kallos"]
