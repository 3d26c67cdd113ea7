import { z } from 'zod';
import type { Change } from './changes.js';

const BindingSchema = z.object({
  event: z.enum(['*', 'INSERT', 'UPDATE', 'DELETE']),
  schema: z.string(),
  table: z.string().optional(),
  filter: z.string().optional(),
});
type Binding = z.output<typeof BindingSchema>;

/** The payload of phx_join. */
export const JoinSchema = z.object({
  config: z.object({ postgres_changes: z.array(BindingSchema).default([]) }).default({ postgres_changes: [] }),
  access_token: z.string().nullish(),
});

/** One thing that a channel asked to hear of, with the id that its changes carry. */
export interface Subscription {
  readonly id: number;
  readonly binding: Binding;
  matches(change: Change): boolean;
}

/** Reads `column=eq.value`. Throws an Error for any other filter: the stand-in serves equality only. */
function readFilter(filter: string): (row: Readonly<Record<string, unknown>>) => boolean {
  const [, column, value] = /^(\w+)=eq\.(.*)$/s.exec(filter) ?? [];
  if (column === undefined || value === undefined) throw new Error(`unsupported filter: ${filter}`);
  return (row) => row[column] != null && String(row[column]) === value;
}

/** Throws an Error where the binding's filter is not supported. */
export function createSubscription(id: number, binding: Binding): Subscription {
  const passes = binding.filter === undefined ? () => true : readFilter(binding.filter);
  const any = (wanted: string | undefined, is: string): boolean => wanted === undefined || wanted === '*' || wanted === is;
  return {
    id,
    binding,
    matches: (change) =>
      any(binding.event, change.type) && any(binding.schema, change.schema) && any(binding.table, change.table)
      && passes(change.record ?? change.oldRecord ?? {}),
  };
}
