/** @param root  folder of the repository */
export function drawArchitecture(root: string): string
