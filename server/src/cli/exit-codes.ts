/** How commands end: see the contract of the command line in its help. */
export const exitCodes = { done: 0, findings: 1, input: 2, internal: 3, cancelled: 130 } as const;
