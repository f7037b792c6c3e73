/** Everything that the page of a lot runs: the room, what is told beside it, and the shell. */

import "./lot-about.js";
import "./lot-room.js";
import "./offline.js";
