/** Everything that the page of a lot runs: the room, and what is told beside it. */

import "./lot-about.js";
import "./lot-room.js";
