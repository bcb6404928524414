export async function examineVerb(){return 0 as const}
