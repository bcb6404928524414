// The package's own types are not found through its "exports"; these are the parts in use.
declare module "binary-parser" {
  type BufferOptions = {
    length: number;
    clone?: boolean;
    formatter?: (bytes: Uint8Array) => unknown;
  };
  export class Parser {
    uint8(name: string): this;
    uint16le(name: string): this;
    uint32le(name: string): this;
    uint64le(name: string): this;
    buffer(name: string, options: BufferOptions): this;
    array(name: string, options: { type: Parser; length: number }): this;
    nest(name: string, options: { type: Parser }): this;
    seek(bytes: number): this;
    parse(bytes: Uint8Array): unknown;
  }
}
