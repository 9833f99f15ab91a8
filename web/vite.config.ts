import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Packs each file once, here, instead of in the service each time that it is asked for. */
function packed(): Plugin {
  let out = "";
  return {
    name: "packed",
    apply: "build",
    configResolved: (config) => void (out = config.build.outDir),
    closeBundle() {
      for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
        const name = join(entry.parentPath ?? entry.path, entry.name);
        if (!entry.isFile() || !/\.(js|css|html|svg)$/.test(name)) continue;
        const content = readFileSync(name);
        const brotli = brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length } });
        writeFileSync(name + ".br", brotli);
        writeFileSync(name + ".gz", gzipSync(content, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  plugins: [packed()],
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  build: {
    outDir: "assets/dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 800,
  },
  // vite dev: a service at CORDON_URL answers what is not the page's.
  server: { proxy: Object.fromEntries(["/v1", "/openapi.yaml", "/metrics"].map((path) => [path, { target: process.env.CORDON_URL ?? "http://127.0.0.1:8080", ws: true }])) },
});
