// The import law: data flows one way. Every rule says why.
const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

module.exports = {
  forbidden: [
    rule('no-cycles', 'A cycle has no first file to read.', {}, { circular: true }),
    rule('no-orphans', 'A file that nothing reaches is dead.', { orphan: true, pathNot: ['\\.d\\.ts$', '\\.test\\.ts$', 'config\\.ts$', '^src/cli\\.ts$', '^dev/demo\\.ts$', '^dev/faultyDaemon\\.ts$', '^bench/sweepMillion\\.ts$'] }, {}),
    rule('streams-know-no-work', 'Streams only say "look"; they know nothing of handlers, the chain or the journal.', { path: '^src/streams' }, { path: '^src/(handlers|flow|journal|users|http|commands)' }),
    rule('flow-knows-no-users', 'flow speaks to the chain; it knows nothing of Supabase, the journal or the handlers.', { path: '^src/flow' }, { path: '^src/(streams|handlers|journal|users|http|commands)|@supabase|node_modules/pg' }),
    rule('journal-knows-no-chain', 'The journal is the memory; handlers join it with the chain.', { path: '^src/journal' }, { path: '^src/(streams|handlers|flow|users|http|commands)' }),
    rule('users-know-no-work', 'A source of users lists them; what is done with them is the handlers\' part.', { path: '^src/users' }, { path: '^src/(streams|handlers|flow|http|commands)' }),
    rule('handlers-know-no-streams', 'A handler is called by the reactor and looks at state; it never listens.', { path: '^src/handlers' }, { path: '^src/(streams|http|commands)' }),
    rule('only-the-reactor-joins', 'Only the reactor sees streams and handlers together.', { path: '^src/(?!reactor|streams|handlers|doctor)' }, { path: '^src/streams/(?!signal)' }),
    rule('doctor-listens-once', 'The doctor proves a channel with the code that the daemon\'s sources prove it with; it takes no source, which would try for ever.', { path: '^src/doctor' }, { path: '^src/streams/(?!echoProof|joinRealtime|listenToPostgres|realtimeClient)' }),
    rule('doctor-knows-no-command', 'A check is handed what it looks at; the command opens and closes it.', { path: '^src/doctor' }, { path: '^src/(commands|http|reactor)' }),
    rule('only-the-command-calls-the-doctor', 'Checks are for people; what the daemon needs at its start it asks itself.', { path: '^src/(?!doctor|commands)' }, { path: '^src/doctor' }),
    rule('product-needs-no-dev', 'Stand-ins and benchmarks are never part of the product.', { path: '^src' }, { path: '^(dev|bench|test)/' }),
    rule('dev-needs-no-bench', 'A benchmark uses the stack; the stack runs without benchmarks.', { path: '^dev' }, { path: '^(bench|test)/' }),
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
