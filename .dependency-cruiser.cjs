// The import law: data flows one way. Every rule says why.
const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

module.exports = {
  forbidden: [
    rule('no-cycles', 'A cycle has no first file to read.', {}, { circular: true }),
    rule('no-orphans', 'A file that nothing reaches is dead.', { orphan: true, pathNot: ['\\.d\\.ts$', '\\.test\\.ts$', 'config\\.ts$', '^src/cli\\.ts$', '^dev/demo\\.ts$', '^dev/faultyDaemon\\.ts$', '^dev/prepareEmulator\\.ts$', '^bench/(sweepMillion|dashboardClients)\\.ts$'] }, {}),
    rule('streams-know-no-work', 'Streams only say "look"; they know nothing of handlers, the chain or the journal.', { path: '^src/streams' }, { path: '^src/(handlers|flow|journal|users|http|commands|telemetry|metrics)' }),
    rule('flow-knows-no-users', 'flow speaks to the chain; it knows nothing of Supabase, the journal or the handlers.', { path: '^src/flow' }, { path: '^src/(streams|handlers|journal|users|http|commands|telemetry|metrics)|@supabase|node_modules/pg' }),
    rule('journal-knows-no-chain', 'The journal is the memory; handlers join it with the chain.', { path: '^src/journal' }, { path: '^src/(streams|handlers|flow|users|http|commands|telemetry|metrics)' }),
    rule('users-know-no-work', 'A source of users lists them; what is done with them is the handlers\' part.', { path: '^src/users' }, { path: '^src/(streams|handlers|flow|http|commands)' }),
    rule('handlers-know-no-streams', 'A handler is called by the reactor and looks at state; it never listens.', { path: '^src/handlers' }, { path: '^src/(streams|http|commands)' }),
    rule('limits-know-nobody', 'What bounds an input is asked by every layer, and knows none of them.', { path: '^src/limits' }, { path: '^src/(?!limits|errors)' }),
    rule('telemetry-knows-nobody', 'Whoever emits may name an event; an event that named a layer would tie all layers together.', { path: '^src/telemetry' }, { path: '^src/(?!telemetry|errors|log)' }),
    rule('nobody-measures-itself', 'Work emits events and never knows who counts them: only what starts and shows the daemon sees the metrics.', { path: '^src/(?!commands|http|metrics)' }, { path: '^src/metrics' }),
    rule('http-shows-and-asks', 'What is answered over HTTP is read from the journal and the chain, and asked for through the journal; it opens no key and does no work itself.', { path: '^src/http' }, { path: '^src/(streams|users|files|commands|reactor|secrets)' }),
    rule('nothing-needs-http', 'The service works the same where nobody looks.', { path: '^src/(?!http|commands)' }, { path: '^src/http' }),
    rule('only-the-reactor-joins', 'Only the reactor sees streams and handlers together.', { path: '^src/(?!reactor|streams|handlers|doctor)' }, { path: '^src/streams/(?!signal)' }),
    rule('doctor-listens-once', 'The doctor proves a channel with the code that the daemon\'s sources prove it with; it takes no source, which would try for ever.', { path: '^src/doctor' }, { path: '^src/streams/(?!echoProof|joinRealtime|listenToPostgres|realtimeClient)' }),
    rule('doctor-knows-no-command', 'A check is handed what it looks at; the command opens and closes it.', { path: '^src/doctor' }, { path: '^src/(commands|http|reactor)' }),
    rule('only-the-command-calls-the-doctor', 'Checks are for people; what the daemon needs at its start it asks itself.', { path: '^src/(?!doctor|commands)' }, { path: '^src/doctor' }),
    rule('product-needs-no-dev', 'Stand-ins and benchmarks are never part of the product.', { path: '^src' }, { path: '^(dev|bench|test)/' }),
    rule('dev-needs-no-bench', 'A benchmark uses the stack; the stack runs without benchmarks.', { path: '^dev' }, { path: '^(bench|test)/' }),
    rule('dashboard-stands-alone', 'The page is served as it is: it knows the HTTP API and nothing of the program.', { path: '^dashboard' }, { path: '^(src|dev|test|bench)/' }),
    rule('program-serves-the-dashboard', 'The page is a set of files to the program, never code of it.', { path: '^(src|dev|bench)/' }, { path: '^dashboard' }),
    rule('panels-know-no-panels', 'A panel shows what it is handed; main.js alone joins them.', { path: '^dashboard/panels/' }, { path: '^dashboard/(panels/|main)' }),
    rule('no-dev-packages', 'What the daemon runs on is in dependencies.', { path: '^src' }, { dependencyTypes: ['npm-dev'] }),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types', 'default'], extensions: ['.ts', '.js', '.mjs', '.json'] },
    moduleSystems: ['es6', 'cjs'],
  },
};
