// Loaded into Omniboard by `node --require`. A browser that has not yet chosen would show every key of every
// configuration, and draw every metric; the page at / chooses for it, and goes on to the table of runs.
'use strict';

const http = require('http');

const states = process.env.BOARD_STATES.replace(/</g, '\\u003c'); // no tag can end the script
const PAGE = `<!doctype html><title>Runs</title><script>
for (const [key, state] of Object.entries(${states})) {
  if (!localStorage.getItem(key)) localStorage.setItem(key, JSON.stringify(state));
}
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
