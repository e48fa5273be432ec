"""The story of the hospital, played by real processes: nine steps, what each must show, and how it is proven.

Holds: the steps and their plain words, the adapters by which they are played, what was found, the verdict, the tour.
Never: starts or ends a part itself (that is `app/hospital`), or looks into a part past what a person could ask too.
Start reading at: `plan.py`, then `player.py`.
"""
