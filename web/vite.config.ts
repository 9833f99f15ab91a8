import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Says whose work the page is made of, as their licenses want it. */
function licensed(): Plugin {
  return {
    name: "licensed",
    apply: "build",
    generateBundle() {
      const packages = new Set<string>();
      for (const id of this.getModuleIds()) {
        const found = /^\0?(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1];
        if (found !== undefined) packages.add(found);
      }
      const texts = [...packages].sort().map((dir) => {
        const { name, version, license } = JSON.parse(readFileSync(join(dir, "package.json"), "utf8")) as Record<string, string>;
        const file = readdirSync(dir).find((entry) => /^licen[sc]e/i.test(entry));
        return `${name} ${version} (${license})\n\n${file === undefined ? "" : readFileSync(join(dir, file), "utf8").trim()}\n`;
      });
      this.emitFile({ type: "asset", fileName: "licenses.txt", source: texts.join("\n----\n\n") });
    },
  };
}

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
        if (!entry.isFile() || !/\.(js|css|html|svg|txt)$/.test(name)) continue;
        const content = readFileSync(name);
        const brotli = brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length } });
        writeFileSync(name + ".br", brotli);
        writeFileSync(name + ".gz", gzipSync(content, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  plugins: [licensed(), packed()],
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
