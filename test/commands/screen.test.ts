import { describe, expect, it } from 'vitest';
import { fit } from '../../src/commands/screen.js';

describe('what is shown in place', () => {
  it('never wraps: longer lines end in an ellipsis', () => {
    expect(fit('short\na line that is long', 10, 5)).toEqual(['short', 'a line th…']);
  });

  it('never scrolls: what is below the last row is left out, and said to be', () => {
    expect(fit('1\n2\n3\n4', 10, 3)).toEqual(['1', '2', '…']);
    expect(fit('1\n2\n3', 10, 3)).toEqual(['1', '2', '3']);
  });
});
