import { expect, it } from 'vitest';
import { logUrl, parseLogLine } from '../../dashboard/logLine.js';

it('a line is read into time, level, message and the rest', () => {
  const line = parseLogLine('{"level":40,"time":"2026-01-01T00:00:00.000Z","msg":"source health","source":"realtime","since":{"ms":3}}');
  expect(line).toEqual({ at: '2026-01-01T00:00:00.000Z', level: 'warn', msg: 'source health', rest: 'source=realtime since={"ms":3}', search: 'source health source=realtime since={"ms":3}' });
});

it.each(['not JSON', '[1]', '"text"', 'null'])('a line that is none is shown as it is: %s', (text) => expect(parseLogLine(text)).toMatchObject({ msg: text, at: '' }));

it('a time that is none is left out', () => expect(parseLogLine('{"time":"soon","msg":"a"}').at).toBe(''));

it('a long line is cut, and still found by its end', () => {
  const line = parseLogLine(JSON.stringify({ msg: 'a', stack: `${'x'.repeat(5_000)}END` }));
  expect(line.rest.length).toBeLessThan(700);
  expect(line.search).toContain('end');
});

it('filters go to the server as a query', () => {
  expect(logUrl({ level: 'debug', user: '' })).toBe('/api/logs?level=debug&limit=500');
  expect(logUrl({ level: 'info', user: 'a&b' })).toBe('/api/logs?level=info&limit=500&user=a%26b');
});
