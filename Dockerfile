# docker build -t s3move .    (docs/install.md)

FROM node:24-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build
RUN npm pack --ignore-scripts && mv s3move-*.tgz s3move.tgz

FROM node:24-slim
# What it needs is in the package.
RUN --mount=type=bind,from=build,source=/src/s3move.tgz,target=/tmp/s3move.tgz \
    npm install --global --offline --no-audit --no-fund /tmp/s3move.tgz
USER node
# Runs are kept in .s3move, in the working directory: mount a folder here to keep them.
WORKDIR /home/node
# A volume that is mounted there belongs to this user.
RUN mkdir .s3move
ENTRYPOINT ["s3move"]
