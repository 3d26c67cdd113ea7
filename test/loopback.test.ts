import { expect, it } from 'vitest';
import { isLoopback } from '../src/loopback.js';

it.each(['localhost', 'LOCALHOST', '127.0.0.1', '127.9.9.9', '::1', '[::1]'])('%s is this machine', (host) => expect(isLoopback(host)).toBe(true));
it.each(['', '0.0.0.0', '::', '10.0.0.1', 'localhost.example.org', '127.0.0.1.example.org', '127.0.0.1.', '1270.0.1', 'example.org', '[::]'])('%j may be another one', (host) => expect(isLoopback(host)).toBe(false));
