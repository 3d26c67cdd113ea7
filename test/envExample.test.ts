import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { packagePath } from '../src/packagePath.js';
import { AppError } from '../src/errors.js';
import { readSettings, SETTING_NAMES, type Environment } from '../src/settings.js';

/** Variables that are read elsewhere than in the settings. */
const OTHERS = ['MIGRATE_DATABASE_URL', 'FUNDER_KEY_FUNDER_1'];

const lines = readFileSync(packagePath('.env.example'), 'utf8').split('\n');
const isVariable = /^(# )?([A-Z][A-Z0-9_]*)=(.*)$/;
const variables = lines.flatMap((line, index) => {
  const [, commented, name = '', value = ''] = isVariable.exec(line) ?? [];
  return name === '' ? [] : [{ name, value, index, isSet: commented === undefined }];
});

const REQUIRED = {
  DATABASE_URL: 'postgresql://u:pw@h:5432/d',
  SUPABASE_URL: 'https://p.supabase.co',
  SUPABASE_SERVICE_ROLE_KEY: 'a-service-role-key-of-some-length',
  NETWORK: 'testnet',
  WALLET_ENCRYPTION_KEY: '00'.repeat(32),
};

/** The file as node reads it, with its optional variables in force too. */
const uncommented = (): Environment => parseEnv(lines.map((line) => (isVariable.test(line) ? line.replace(/^# /, '') : line)).join('\n')) as Environment;

describe('.env.example', () => {
  it('names exactly the settings, each once', () => {
    const names = variables.map(({ name }) => name).filter((name) => !OTHERS.includes(name));
    expect(names.toSorted()).toEqual([...SETTING_NAMES].toSorted());
    for (const name of OTHERS) expect(variables.filter((variable) => variable.name === name)).toHaveLength(1);
  });

  it('sets the required ones, first, and leaves the others commented out', () => {
    expect(variables.filter(({ isSet }) => isSet).map(({ name }) => name)).toEqual(Object.keys(REQUIRED));
    expect(variables.slice(0, 5).every(({ isSet }) => isSet)).toBe(true);
  });

  it('asks for exactly the required ones when it was copied and not filled in', () => {
    let message = '';
    try {
      readSettings(parseEnv(lines.join('\n')) as Environment);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      message = error.message;
    }
    expect(message.split('\n').slice(1).map((line) => line.trim().split(' ')[0])).toEqual(Object.keys(REQUIRED));
  });

  it('shows each default as it is', () => {
    expect(readSettings({ ...uncommented(), ...REQUIRED })).toEqual(readSettings(REQUIRED));
    const withDefault = Object.entries(readSettings(REQUIRED)).filter(([name, value]) => name === name.toUpperCase() && value !== undefined && !(name in REQUIRED));
    for (const [name] of withDefault) expect(variables.find((variable) => variable.name === name)?.value, name).not.toBe('');
  });

  it('explains each variable in one or two comment lines right above it', () => {
    for (const { name, index } of variables) {
      let comments = 0;
      while (lines[index - 1 - comments]?.startsWith('# ') === true && !isVariable.test(lines[index - 1 - comments]!)) comments += 1;
      expect(comments, name).toBeGreaterThanOrEqual(1);
      expect(comments, name).toBeLessThanOrEqual(2);
    }
  });

  it('holds no secret', () => {
    for (const { name, value } of variables) if (/KEY|DATABASE_URL/.test(name)) expect(value, name).toBe('');
  });
});
