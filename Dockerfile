# One image for every role. The compiler stays in the first stage; the second has Python, the packages that Forebay needs,
# and a user without rights. Both stages are one base, by digest: the kernels meet the C library that they were built with.
FROM python:3.11.15-slim-bookworm@sha256:d29f48a31a8b408ed19272ca1e7b10ebae13b240a27e862d3d4217c528e2e0c3 AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# Every package is taken by its hash in the lock; what of them is for development stays in this stage.
COPY requirements.lock ./
RUN pip wheel --no-cache-dir --require-hashes --wheel-dir=/wheels --requirement=requirements.lock
COPY . .
RUN pip wheel --no-cache-dir --no-deps --no-index --find-links=/wheels --wheel-dir=/wheels .
RUN python -m venv /opt/forebay \
    && /opt/forebay/bin/pip install --no-cache-dir --no-index --find-links=/wheels forebay

FROM python:3.11.15-slim-bookworm@sha256:d29f48a31a8b408ed19272ca1e7b10ebae13b240a27e862d3d4217c528e2e0c3
RUN useradd --uid=10001 --no-create-home --shell=/usr/sbin/nologin forebay \
    && install --directory --owner=forebay --group=forebay /var/lib/forebay
COPY --from=build /opt/forebay /opt/forebay
COPY --chmod=755 deploy/healthcheck.py /usr/local/bin/healthcheck
ENV PATH=/opt/forebay/bin:/usr/local/bin:/usr/bin:/bin
USER 10001:10001
WORKDIR /var/lib/forebay
VOLUME /var/lib/forebay
EXPOSE 9201 9203 9204
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 \
    CMD ["healthcheck", "http://127.0.0.1:9201/-/ready"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["forebay"]
CMD ["all-in-one", "--data.dir=/var/lib/forebay"]
