// Loaded into Omniboard by `node --require`. Omniboard listens on every interface, takes the next port where its
// own is taken, and answers the pages of any web site that the user happens to have open.
'use strict';

const http = require('http');
const net = require('net');

const LOCAL = new Set(['127.0.0.1', 'localhost']);

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, onListening) {
  this.once('error', (error) => {
    console.error(error.message);
    process.exit(1);
  });
  return listen.call(this, { port: Number(port), host: '127.0.0.1' }, onListening);
};

// A page from elsewhere names its origin; one that has pointed its own name at this machine, that name as host.
function isLocal(request) {
  const addresses = [`http://${request.headers.host}`, request.headers.origin].filter((address) => address);
  try {
    return addresses.every((address) => LOCAL.has(new URL(address).hostname));
  } catch {
    return false; // no address at all, such as the origin "null"
  }
}

const emit = http.Server.prototype.emit;
http.Server.prototype.emit = function (event, request, response) {
  if (event === 'request' && !isLocal(request)) {
    response.writeHead(403).end('This board answers to its own machine only.\n');
    return true;
  }
  return emit.apply(this, arguments);
};
