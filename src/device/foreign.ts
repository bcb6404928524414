/**
 * Foreign functions: the one file that knows the FFI addons.
 *
 * Only **prepared calls** are offered: the description of the call, its argument and its result are
 * built once and kept, so that calling allocates nothing and costs about a microsecond. (The
 * addon's ordinary calls cost 20 to 80 times that and leak their arguments until collected.) Every
 * function takes one pointer and returns an int; whatever else is to be said goes through memory
 * that both sides see.
 *
 * There are no asynchronous calls, callbacks from other threads, or workers, by design: one that
 * hangs would keep the process from ending, and four would starve the run-time's own file and name
 * look-ups.
 */
import bindings from "ffi-napi/lib/bindings.js";
import prepareInterface from "ffi-napi/lib/cif.js";
import DynamicLibrary from "ffi-napi/lib/dynamic_library.js";
import ref from "ref-napi";

const pointerBytes = 8;

export type PreparedCall = () => number;

export type ForeignLibrary = {
  /** A call of `symbol` with the pointer held in `pointer` (see pointerTo and pointerFrom). */
  prepare(symbol: string, pointer: Buffer): PreparedCall;
};

export type Loaded =
  | { readonly ok: true; readonly library: ForeignLibrary }
  | { readonly ok: false; readonly message: string };

const onePointerToInt = prepareInterface(ref.types.int32, [ref.refType(ref.types.void)]);

function prepare(code: Buffer, pointer: Buffer): PreparedCall {
  // A result narrower than a register is widened to one.
  const result = Buffer.alloc(pointerBytes);
  const args = Buffer.alloc(pointerBytes);
  ref.writePointer(args, 0, pointer);
  const call = bindings.ffi_call;
  return () => {
    call(onePointerToInt, code, result, args);
    return result.readInt32LE(0);
  };
}

export function loadLibrary(path: string): Loaded {
  try {
    const loaded = new DynamicLibrary(path);
    return {
      ok: true,
      library: { prepare: (symbol, pointer) => prepare(loaded.get(symbol), pointer) },
    };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

/** A pointer to the bytes of a buffer, which the caller must keep as long as it is used. */
export function pointerTo(target: Buffer): Buffer {
  const pointer = Buffer.alloc(pointerBytes);
  ref.writePointer(pointer, 0, target);
  return pointer;
}

/** The pointer stored at `offset` of a structure that a library filled in. */
export function pointerFrom(structure: Buffer, offset: number): Buffer {
  return Buffer.from(structure.subarray(offset, offset + pointerBytes));
}

/** The memory that a library owns, as a buffer of the given length; it must never be unmapped. */
export function memoryAt(structure: Buffer, offset: number, lengthBytes: number): Buffer {
  return ref.readPointer(structure, offset, lengthBytes);
}
