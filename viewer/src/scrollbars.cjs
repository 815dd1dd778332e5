// The libraries import this package in a way that only their bundler understands. Without this file, tables cannot scroll.
module.exports = require('../node_modules/react-custom-scrollbars-2').Scrollbars
