/** Resolves after so many milliseconds: how long a fault lasts, never how long something is hoped to take. */
export const lasting = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
