/**
 * The language in which a sector is described: one row per field, offsets written out so that a
 * change of order shows in the diff. From a layout come the record's type, the encoder, the
 * decoder (binary-parser), `examine` and the tables of docs/format.md.
 *
 * All numbers are little endian. A layout has no gap and no overlap: `checkLayout` proves it.
 */
import { assert } from "../base/assert.ts";

/** Scalar kinds: sizes are fixed. */
export const scalarBytes = { u8: 1, u16: 2, u32: 4, u64: 8, uuid: 16 } as const;
export type ScalarKind = keyof typeof scalarBytes;

type Common = {
  readonly name: string;
  readonly at: number;
  /** What it means, and what it protects against; printed in docs/format.md. */
  readonly note: string;
};
export type ScalarField = Common & {
  readonly kind: ScalarKind;
  /** Names of the values, for people. */
  readonly names?: Readonly<Record<number, string>>;
  /** Names of single bits, for people. */
  readonly bits?: Readonly<Record<number, string>>;
};
/** ASCII, padded with zero bytes. */
export type TextField = Common & { readonly kind: "text"; readonly length: number };
export type BytesField = Common & { readonly kind: "bytes"; readonly length: number };
/** Zero when written, checked when read. */
export type ZeroField = Common & { readonly kind: "zero"; readonly length: number };
export type ListField = Common & {
  readonly kind: "list";
  readonly count: number;
  readonly of: readonly ItemField[];
};
/** A list holds plain fields only: lists do not nest. */
export type ItemField = ScalarField | TextField | ZeroField;
export type Field = ItemField | BytesField | ListField;
export type Layout = readonly Field[];

type ScalarValue = { u8: number; u16: number; u32: number; u64: bigint; uuid: string };
type ValueOf<F> = F extends { kind: infer K extends ScalarKind }
  ? ScalarValue[K]
  : F extends { kind: "text" }
    ? string
    : F extends { kind: "bytes" }
      ? Uint8Array
      : F extends { kind: "list"; of: infer I extends readonly ItemField[] }
        ? readonly RecordOf<I>[]
        : never;
type Named<L extends readonly Field[]> = Exclude<L[number], { kind: "zero" }>;
/** The record that a layout describes; reserved fields are not in it. */
export type RecordOf<L extends readonly Field[]> = {
  readonly [F in Named<L> as F["name"]]: ValueOf<F>;
};

export function fieldBytes(field: Field): number {
  switch (field.kind) {
    case "text":
    case "bytes":
    case "zero":
      return field.length;
    case "list":
      return field.count * layoutBytes(field.of);
    default:
      return scalarBytes[field.kind];
  }
}

export function layoutBytes(layout: Layout): number {
  return layout.reduce((sum, field) => sum + fieldBytes(field), 0);
}

/** Proves that a layout is dense and has the promised size; returns it. */
export function checkLayout<const L extends Layout>(layout: L, bytes: number): L {
  let at = 0;
  const seen = new Set<string>();
  for (const field of layout) {
    assert(field.at === at, `field ${field.name} stands at ${at}, not at ${field.at}`);
    assert(field.kind === "zero" || !seen.has(field.name), `field ${field.name} is unique`);
    seen.add(field.name);
    if (field.kind === "list") checkLayout(field.of, layoutBytes(field.of));
    at += fieldBytes(field);
  }
  assert(at === bytes, `a layout of ${bytes} bytes, not ${at}`);
  return layout;
}

/** The field of that name; asserts that there is one. */
export function fieldNamed(layout: Layout, name: string): Field {
  const field = layout.find((candidate) => candidate.name === name);
  assert(field !== undefined, `the layout has a field ${name}`);
  return field;
}
