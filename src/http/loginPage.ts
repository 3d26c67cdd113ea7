const page = (note: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>wallet-sync: log in</title>
<main>
<h1>wallet-sync</h1>
<form method="post" action="/login">
<p><label>Token (HTTP_TOKEN of this instance)<br><input type="password" name="token" autocomplete="current-password" required autofocus></label></p>
<p role="alert">${note}</p>
<p><button>Log in</button></p>
</form>
</main>
</html>
`;

/** Asks for the token. No script and no style: what it needs can't be fetched without the token. */
export const LOGIN_PAGE = page('');
export const LOGIN_PAGE_WRONG = page('This is not the token.');
