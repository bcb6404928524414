/** The version of the product, put in by the bundler from package.json. */
declare const MIRRORBEAT_VERSION: string;
export const version: string = MIRRORBEAT_VERSION;
