/** What mends a certificate that is not trusted, by Node's code for it; undefined for any other failure. Of the database's own mends see sqlErrors. */
export function tlsMendOf(code: string | undefined): string | undefined {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return "name the host in the URL as the server's certificate does";
  return /^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|CERT_SIGNATURE|CERT_UNTRUSTED)/.test(code ?? '') ? "for an authority of your own set NODE_EXTRA_CA_CERTS=FILE in the process's environment (not in .env)" : undefined;
}
