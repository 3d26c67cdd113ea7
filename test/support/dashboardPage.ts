import type { Browser, Page } from 'playwright-core';

export interface DashboardPage {
  readonly page: Page;
  /** Whatever a browser complains of: errors of scripts, of the console, of the content-security-policy, and requests to elsewhere. */
  readonly complaints: readonly string[];
  /** Resolves when the headline fits. */
  headline(fits: RegExp): Promise<void>;
  /** Resolves when the feed shows this user in this state, with the row's text. */
  feedRow(authId: string, state: 'waiting' | 'ready'): Promise<string>;
  /** Tabs once around the whole page; names what had the focus, by id or text. */
  tabStops(): Promise<string[]>;
  /** Pixels of a canvas below `selector` that have the colour of one of the style sheet's. */
  pixelsOf(selector: string, color: string): Promise<number>;
}

/** Opens the dashboard. */
export async function openDashboard(browser: Browser, url: string, options: { readonly width?: number; readonly height?: number } = {}): Promise<DashboardPage> {
  const page = await browser.newPage({ viewport: { width: options.width ?? 1_400, height: options.height ?? 1_000 }, colorScheme: 'light' });
  page.setDefaultTimeout(20_000);
  const complaints: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(`${error}`));
  page.on('request', (request) => !request.url().startsWith(url) && !request.url().startsWith('data:') && complaints.push(`asked ${request.url()}`));
  await page.addInitScript("document.addEventListener('securitypolicyviolation', (event) => console.error('policy violated: ' + event.violatedDirective + ' ' + event.blockedURI))");
  await page.goto(url);

  return {
    page,
    complaints,
    headline: (fits) => page.locator('#headline', { hasText: fits }).waitFor(),
    async feedRow(authId, state) {
      const row = page.locator(`#feed-rows tr[data-user="${authId}"][data-state="${state}"]`);
      await row.waitFor();
      return row.innerText();
    },
    async tabStops() {
      const stops: string[] = [];
      await page.locator('.skip').focus();
      for (let presses = 0; presses < 100; presses++) {
        const stop = await page.evaluate<string | null>(NAME_OF_FOCUS);
        if (stops.length > 0 && stop === stops[0]) break;
        // Between the last and the first the browser itself has it.
        if (stop !== null) stops.push(stop);
        await page.keyboard.press('Tab');
      }
      return stops;
    },
    pixelsOf: (selector, color) => page.evaluate<number>(`(${COUNT_PIXELS})(${JSON.stringify(selector)}, ${JSON.stringify(color)})`),
  };
}

const NAME_OF_FOCUS = `(() => {
  const { activeElement } = document;
  if (activeElement === null || activeElement === document.body) return null;
  return activeElement.id || activeElement.textContent.trim() || activeElement.getAttribute('name') || activeElement.tagName;
})()`;

const COUNT_PIXELS = `(selector, color) => {
  const probe = document.createElement('i');
  probe.style.color = 'var(' + color + ')';
  document.body.append(probe);
  const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  probe.remove();
  let count = 0;
  for (const canvas of document.querySelectorAll(selector + ' canvas')) {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200 && Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 24) count++;
  }
  return count;
}`;
