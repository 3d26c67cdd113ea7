import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

/** Where systems put it, the likeliest first. */
const USUAL_PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/snap/bin/chromium', '/Applications/Chromium.app/Contents/MacOS/Chromium', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];

/** Starts the system's Chromium, headless: CHROMIUM_PATH, or where it usually is. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = [process.env.CHROMIUM_PATH, ...USUAL_PATHS].find((path) => path !== undefined && path !== '' && existsSync(path));
  if (executablePath === undefined) throw new Error('there is no Chromium: install it (apt-get install chromium), or name it in CHROMIUM_PATH');
  // Its sandbox refuses to run as root, as containers do.
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
}
