# syntax=docker/dockerfile:1
# One image with both programs, and with the command line; which one a container runs is its command. packages.txt lists what is installed.

ARG RUST_VERSION=1.95.0
ARG DEBIAN_RELEASE=bookworm

# Only what decides which dependencies are compiled. Its files are the same until a manifest changes, and with them the
# layer below that compiles the dependencies.
FROM debian:${DEBIAN_RELEASE}-slim AS manifests
WORKDIR /src
COPY . .
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock ! -name rust-toolchain.toml -delete \
    && find . -type d -empty -delete

FROM rust:${RUST_VERSION}-${DEBIAN_RELEASE} AS builder
ARG RUST_VERSION
WORKDIR /src
COPY packages.txt .
RUN apt-get update \
    && awk '$1 == "build" { print $2 }' packages.txt | xargs apt-get install -y --no-install-recommends \
    && rm -rf /var/lib/apt/lists/*
# Empty crates with the real manifests: this compiles the dependencies and nothing of ours. The toolchain is the
# image's own.
COPY --from=manifests /src .
ENV RUSTUP_TOOLCHAIN=${RUST_VERSION}
RUN find . -name Cargo.toml -not -path ./Cargo.toml -printf '%h\n' | while read -r crate; do \
        mkdir -p "$crate/src" && : >"$crate/src/lib.rs"; \
        for bin in $(sed -n 's|^path = "\(src/.*\)"|\1|p' "$crate/Cargo.toml"); do \
            mkdir -p "$crate/$(dirname "$bin")" && echo 'fn main() {}' >"$crate/$bin"; \
        done; \
    done \
    && cargo build --release --locked -p api -p workers -p cli
COPY . .
# Cargo goes by time stamps, and the sources may be older than the empty crates compiled above.
RUN find . -name '*.rs' -exec touch {} + \
    && cargo build --release --locked -p api -p workers -p cli \
    && install -D -t /out target/release/api target/release/workers target/release/films target/release/crewline

FROM debian:${DEBIAN_RELEASE}-slim AS runtime
COPY packages.txt /tmp/packages.txt
RUN apt-get update \
    && awk '$1 == "image" { print $2 }' /tmp/packages.txt | xargs apt-get install -y --no-install-recommends \
    && rm -rf /var/lib/apt/lists/* /tmp/packages.txt \
    && useradd --system --uid 10001 --user-group --home-dir /var/lib/crewline --create-home crewline
COPY --from=builder /out/ /usr/local/bin/
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/crewline/
USER crewline
WORKDIR /var/lib/crewline
# Inside a container, "this machine" is the container alone.
ENV CREWLINE_LISTEN=0.0.0.0:8080 CREWLINE_WORKERS_LISTEN=0.0.0.0:8081
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["api", "healthcheck"]
CMD ["api", "serve"]
