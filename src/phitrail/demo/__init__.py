"""The small clinic: made-up staff, patients and notes, and an assistant over them.

Start at `phitrail.demo.run`, which does the main job through the SDK as a user of
phitrail would. `clinic`, `charts` and `questions` make its world from a seed (`notes`
can read other notes from a file), `assistant` answers. No person in it exists; its
notes carry made-up identifiers and are treated as PHI all the same, so that a leak into
the trail can be searched for.
"""
