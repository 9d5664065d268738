// Loaded into Omniboard by `node --require`. A browser that has not yet chosen its columns would show every key of
// every configuration; the page at / chooses for it, and goes on to the table of runs.
'use strict';

const http = require('http');

const state = JSON.stringify(process.env.BOARD_TABLE).replace(/</g, '\\u003c'); // no tag can end the script
const PAGE = `<!doctype html><title>Runs</title><script>
const key = 'default|RunsTable|1'; // where Omniboard keeps the state of its table
if (!localStorage.getItem(key)) localStorage.setItem(key, ${state});
location.replace('/sacred');
</script>`;

const emit = http.Server.prototype.emit;
http.Server.prototype.emit = function (event, request, response) {
  if (event === 'request' && request.url === '/') {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE);
    return true;
  }
  return emit.apply(this, arguments);
};
