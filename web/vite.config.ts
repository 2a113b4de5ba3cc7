import { defineConfig } from "vite";
import { viteSingleFile } from "vite-plugin-singlefile";

// One file, without anything that depends on the machine that builds it.
export default defineConfig({
  plugins: [viteSingleFile({ removeViteModuleLoader: true })],
  build: { target: "es2020", modulePreload: false, reportCompressedSize: false },
});
