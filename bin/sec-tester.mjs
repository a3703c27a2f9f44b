#!/usr/bin/env node
// The command-line client; what it does is in src/cli.
import './built.mjs';

await import('../dist/cli/main.js');
