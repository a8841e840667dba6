# docker build -t layerprune .
# docker run --rm --user "$(id -u)" -v "$PWD:/data" layerprune \
#   similarity --model HuggingFaceTB/SmolLM2-135M --dataset texts.jsonl --layers-to-skip 8
# -v layerprune-cache:/cache keeps downloads for the next run.
FROM node:22-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build \
  && npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
  # of transformers.js in browsers only
  && rm -r node_modules/onnxruntime-web \
  # ONNX Runtime comes with the libraries of five platforms
  && cd node_modules/onnxruntime-node/bin/napi-v6 \
  && find . -mindepth 2 -maxdepth 2 ! -path "./linux/$(node -p process.arch)" -exec rm -r {} +

FROM node:22-slim
WORKDIR /opt/layerprune
COPY --from=build /build/package.json /build/LICENSE ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/assets assets
COPY --from=build /build/bin bin
COPY --from=build /build/schemas schemas
COPY --from=build /build/dist dist
COPY --from=build /build/program program
# letters are drawn as outlines: without a configuration, though, the library of fonts complains on stderr
RUN mkdir -p /etc/fonts && echo '<fontconfig><cachedir>/tmp/fontconfig</cachedir></fontconfig>' > /etc/fonts/fonts.conf
# any user may write to the cache
RUN ln -s /opt/layerprune/bin/layerprune.js /usr/local/bin/layerprune && mkdir -m 1777 /cache && mkdir -m 1777 /data
ENV HF_HOME=/cache
USER node
WORKDIR /data
ENTRYPOINT ["layerprune"]
CMD ["--help"]
