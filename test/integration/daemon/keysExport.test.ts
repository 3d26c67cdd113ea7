import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKeyPair, isKeyOf } from '../../../src/flow/keys.js';
import { createVault } from '../../../src/secrets.js';
import { runCommand, type Ended } from '../../support/command.js';
import { fillPool } from '../../support/accounts.js';
import { INSERT_USER, startDatabase, type Database } from '../../support/database.js';

