// The parts of the foreign-function addons that foreign.ts uses; these files ship without types.

declare module "ffi-napi/lib/bindings.js" {
  const bindings: {
    /** Calls `code` as `cif` describes it; `args` is an array of pointers to the arguments. */
    ffi_call(cif: Buffer, code: Buffer, result: Buffer, args: Buffer): void;
  };
  export default bindings;
}

declare module "ffi-napi/lib/cif.js" {
  import type { Type } from "ref-napi";
  const cif: (result: Type, args: readonly Type[]) => Buffer;
  export default cif;
}

declare module "ffi-napi/lib/dynamic_library.js" {
  const DynamicLibrary: new (path: string) => { get(symbol: string): Buffer };
  export default DynamicLibrary;
}
