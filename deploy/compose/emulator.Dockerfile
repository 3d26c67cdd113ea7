# The Flow emulator in the very version that the tests use (dev/emulator/go.mod).
FROM golang:1.25-bookworm AS build
WORKDIR /emulator
COPY dev/emulator/go.mod dev/emulator/go.sum ./
ENV CGO_ENABLED=1 CGO_CFLAGS="-O2 -D__BLST_PORTABLE__"
RUN go build -o /usr/local/bin/emulator github.com/onflow/flow-emulator/cmd/emulator

FROM debian:bookworm-slim
COPY --from=build /usr/local/bin/emulator /usr/local/bin/emulator
USER 1000:1000
EXPOSE 8888
ENTRYPOINT ["emulator"]
