import { existsSync } from 'node:fs';
import { loadEnvFile } from 'node:process';

/** The process's environment, completed from .env in the current folder where there is one; what is set already wins. */
export function readEnvironment(): NodeJS.ProcessEnv {
  if (existsSync('.env')) loadEnvFile('.env');
  return process.env;
}
