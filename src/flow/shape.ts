import type { z } from 'zod';
import { AppError } from '../errors.js';

/** What came from outside, in its expected shape. Throws `data` naming the place and the first fault, never the value. */
export function parseShape<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue === undefined || issue.path.length === 0 ? 'its top' : issue.path.join('.');
  throw new AppError('data', `an unexpected shape at ${place}: ${issue?.message ?? ''}`, { where });
}
