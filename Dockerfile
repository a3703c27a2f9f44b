# The server's image: built with everything, run with production dependencies only, as an unprivileged user.
ARG NODE_IMAGE=node:24-bookworm-slim@sha256:6f7b03f7c2c8e2e784dcf9295400527b9b1270fd37b7e9a7285cf83b6951452d

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY prisma.config.ts tsconfig.json tsconfig.build.json ./
COPY prisma ./prisma
COPY scripts ./scripts
COPY src ./src
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# npm keeps optional peers of @prisma/client that are there for development: tools, and a third of the size.
RUN npm ci --omit=dev --no-audit --no-fund && cd node_modules \
    && rm -rf .bin prisma typescript @typescript @electric-sql \
       @prisma/dev @prisma/studio-core @prisma/streams-local @prisma/query-plan-executor @prisma/fetch-engine

FROM ${NODE_IMAGE}
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=4000 \
    DATA_DIR=/data
# Where the embedded database lives when the image runs without DATABASE_URL.
RUN mkdir /data && chown node:node /data
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY prisma ./prisma
COPY bin ./bin
COPY scripts/make-secrets.mjs ./scripts/
COPY --from=build /app/dist ./dist
USER node
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/api/v1/health/ready`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# In exec form: the server is process 1 and gets SIGTERM itself.
CMD ["node", "--enable-source-maps", "dist/main.js"]
